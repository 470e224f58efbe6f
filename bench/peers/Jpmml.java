// jpmml-evaluator with one PMML model, for tree_engines.py. Arguments: the model, a file of doubles (big-endian, row by row), their
// rows and columns, threads. Columns are called f0, f1, ...; NaN is a missing value. For each line "run" every row is evaluated and
// "ok" printed; "answers" prints the first target of every row.
import java.io.BufferedInputStream;
import java.io.BufferedReader;
import java.io.DataInputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jpmml.evaluator.Computable;
import org.jpmml.evaluator.Evaluator;
import org.jpmml.evaluator.LoadingModelEvaluatorBuilder;

public class Jpmml {
  private static Evaluator evaluator;
  private static String target;
  private static List<Map<String, Object>> rows;
  private static double[] answers;

  public static void main(String[] arguments) throws Exception {
    // The builder optimises the document by itself.
    evaluator = new LoadingModelEvaluatorBuilder()
        .setLocatable(false)
        .load(new File(arguments[0]))
        .build();
    evaluator.verify();
    target = evaluator.getTargetFields().get(0).getName();
    rows = read(arguments[1], Integer.parseInt(arguments[2]), Integer.parseInt(arguments[3]));
    answers = new double[rows.size()];
    int threads = Integer.parseInt(arguments[4]);
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
    System.out.println("ok");
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      evaluateAll(pool, threads);
      if (line.equals("answers")) {
        StringBuilder text = new StringBuilder();
        for (double answer : answers) text.append(answer).append(' ');
        System.out.println(text);
      } else {
        System.out.println("ok");
      }
    }
    System.exit(0);
  }

  private static List<Map<String, Object>> read(String path, int count, int columns) throws Exception {
    List<Map<String, Object>> result = new ArrayList<>(count);
    try (DataInputStream numbers = new DataInputStream(new BufferedInputStream(new FileInputStream(path)))) {
      for (int row = 0; row < count; row++) {
        Map<String, Object> values = new HashMap<>();
        for (int column = 0; column < columns; column++) {
          double number = numbers.readDouble();
          if (!Double.isNaN(number)) values.put("f" + column, number);
        }
        result.add(values);
      }
    }
    return result;
  }

  private static void evaluateAll(ExecutorService pool, int threads) throws Exception {
    if (threads == 1) {
      evaluate(0, rows.size());
      return;
    }
    List<Callable<Void>> parts = new ArrayList<>();
    for (int part = 0; part < threads; part++) {
      int begin = rows.size() * part / threads, end = rows.size() * (part + 1) / threads;
      parts.add(() -> { evaluate(begin, end); return null; });
    }
    for (var done : pool.invokeAll(parts)) done.get();
  }

  private static void evaluate(int begin, int end) {
    for (int row = begin; row < end; row++) {
      Object answer = evaluator.evaluate(rows.get(row)).get(target);
      if (answer instanceof Computable) answer = ((Computable) answer).getResult();
      answers[row] = ((Number) answer).doubleValue();
    }
  }
}
